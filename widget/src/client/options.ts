// The plugin's options, as the build put them into the site's data.

import globalData from '@generated/globalData';
import type {PageOptions} from '../options';

export const options = globalData['docusaurus-plugin-ask-docs']!.default as PageOptions;
