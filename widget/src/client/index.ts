// The client module: the only code of the widget on every page of a Docusaurus site.

import texts from 'ask-docs:texts/launcher';
import {attach} from '../page/attach';
import {options} from './options';

/** Docusaurus calls it on the first page and after each change of page. On the server there is no page to attach to. */
export const onRouteDidUpdate =
  typeof document === 'undefined'
    ? undefined
    : attach(
        options,
        texts,
        () => import('./panel'),
        // Without its code there is no button, and nothing else is missing.
        () => import('./selection').catch(() => {}),
      );
