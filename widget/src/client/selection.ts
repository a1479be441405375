// The button beside selected text on a Docusaurus site, in a chunk of its own: loaded when something is first selected.

import texts from 'ask-docs:texts/panel';
import {watchSelection} from '../page/selection';

watchSelection(texts.askSelection);
