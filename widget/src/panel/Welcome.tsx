// What an empty panel shows: what it is good for, and questions to begin with.

import {useEffect, useState} from 'react';
import {headings} from '../page/reading';
import {startersFor} from '../page/starters';
import {useHost} from './host';

export function Welcome() {
  const {conversation, options, texts} = useHost();
  const [starters, setStarters] = useState<string[]>([]);
  useEffect(() => {
    const look = () => {
      const isEnglish = (options.locale ?? document.documentElement.lang).startsWith('en');
      setStarters(startersFor(location.pathname, options.starters ?? [], headings(), isEnglish));
    };
    look();
    // A site that changes pages without a load names the new one in the title.
    const observer = new MutationObserver(look);
    observer.observe(document.head, {subtree: true, childList: true, characterData: true});
    return () => observer.disconnect();
  }, [options]);
  return (
    <div className="ask-docs-welcome">
      <p>{texts.welcome}</p>
      {starters.length > 0 && (
        <>
          <h3>{texts.starters}</h3>
          <ul className="ask-docs-starters">
            {starters.map((question) => (
              <li key={question}>
                <button type="button" dir="auto" onClick={() => conversation.send(question, null, null)}>
                  {question}
                </button>
              </li>
            ))}
          </ul>
        </>
      )}
    </div>
  );
}
