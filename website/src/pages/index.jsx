import Link from '@docusaurus/Link';
import useDocusaurusContext from '@docusaurus/useDocusaurusContext';
import CodeBlock from '@theme/CodeBlock';
import Layout from '@theme/Layout';

import styles from './index.module.css';

const FACTS = [
  ['Linked to the heading', 'Every answer cites the sections it rests on; a click opens the exact heading, with the panel still open.'],
  ['Three honest outcomes', 'Answered, not in the docs, or answered in part. An outage is never told as “not in the docs”.'],
  ['Yours alone', 'One Python process, an index on your disk, no cookie. Readers’ browsers ask no third party; without a key nobody does.'],
  ['Light', 'Less than 1 kB on every page in English, 3 kB in German and Arabic; the panel is loaded when it is first opened.'],
];

const INSTALL = `// docusaurus.config.js
plugins: [
  ['docusaurus-plugin-ask-docs', {apiUrl: 'https://ask.example.com'}],
],`;

export default function Home() {
  const {siteConfig} = useDocusaurusContext();
  return (
    <Layout description={siteConfig.tagline}>
      <header className={styles.hero}>
        <h1 className={styles.title}>Let readers ask your documentation</h1>
        <p className={styles.lead}>
          A service you host yourself and a panel on your Docusaurus site: answers from your own pages and nothing else, with links
          to the exact headings.
        </p>
        <div className={styles.actions}>
          <button type="button" className="button button--primary button--lg" data-ask-docs="">
            Ask this documentation
          </button>
          <Link className="button button--secondary button--lg" to="/docs/quickstart">
            Quickstart
          </Link>
        </div>
      </header>
      <main>
        <div className={styles.facts}>
          {FACTS.map(([title, text]) => (
            <section key={title} className={styles.fact}>
              <h2>{title}</h2>
              <p>{text}</p>
            </section>
          ))}
        </div>
        <section className={styles.install}>
          <h2>On your site in three lines</h2>
          <CodeBlock language="js">{INSTALL}</CodeBlock>
          <p>
            Start the service with <code>make run DOCS=path/to/docs</code>, install the plugin, name it, and build. The{' '}
            <Link to="/docs/quickstart">quickstart</Link> takes a few minutes to the first answer;{' '}
            <Link to="/docs/widget">the panel's page</Link> lists its options.
          </p>
        </section>
      </main>
    </Layout>
  );
}
