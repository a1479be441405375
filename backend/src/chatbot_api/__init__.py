"""Ask AI for Docusaurus: answers readers' questions from a documentation site's own pages."""
