// A list of sections of the site: the sources of an answer, or the pages closest to a question without one.

import {useId} from 'react';
import {followable} from '../answer/links';
import type {Source} from '../chat/types';
import {filled} from '../strings/texts';
import {useHost} from './host';

interface Props {
  title: string;
  sources: readonly Source[];
  isCited: boolean;
  /** Names the version and language of each: they may be others than the reader's. */
  showScope: boolean;
}

export function Sources({title, sources, isCited, showScope}: Props) {
  const id = useId();
  if (!sources.length) return null;
  const List = isCited ? 'ol' : 'ul';
  return (
    <div className="ask-docs-sources" role="group" aria-labelledby={id}>
      <h4 id={id}>{title}</h4>
      <List>
        {sources.map((source, place) => (
          <li key={`${source.id} ${place}`}>
            <span className="ask-docs-number" aria-hidden="true">
              {isCited ? source.id : '•'}
            </span>
            <SourceLink source={source} isCited={isCited} />
            {showScope && <small>{[source.version, source.locale].filter(Boolean).join(' · ')}</small>}
          </li>
        ))}
      </List>
    </div>
  );
}

function SourceLink({source, isCited}: {source: Source; isCited: boolean}) {
  const {texts, rules, follow} = useHost();
  const url = followable(source.url, rules([source.url]));
  const name = (
    <span dir="auto">
      {source.heading_path.length > 1 && <span className="ask-docs-path">{source.heading_path.slice(0, -1).join(' › ')} › </span>}
      {source.heading_path.at(-1)}
    </span>
  );
  if (!url) return name;
  const isOutside = url.origin !== location.origin;
  const path = source.heading_path.join(', ');
  const label = isCited ? filled(texts.sourceName, {id: source.id, path}) : path;
  return (
    <a
      href={url.href}
      title={source.snippet || undefined}
      aria-label={isOutside ? `${label}, ${texts.newTab}` : label}
      {...(isOutside ? {target: '_blank', rel: 'noopener noreferrer'} : {})}
      onClick={(event) => follow(event, event.currentTarget)}
    >
      {name}
    </a>
  );
}
