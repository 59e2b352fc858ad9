// Copies the licences, and the pages of the documentation that concern a user of the package. Links that lead out of the package
// become text.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const PACKAGE = path.resolve(import.meta.dirname, '..');
const REPOSITORY = path.resolve(PACKAGE, '../..');
const PAGES = ['clients.md', 'protocol.md', 'tutorial-live-map.md'];

mkdirSync(path.join(PACKAGE, 'docs'), { recursive: true });
for (const page of PAGES) {
  const text = readFileSync(path.join(REPOSITORY, 'docs', page), 'utf8');
  const copy = text.replace(/\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)/g, (link, label, target, anchor = '') => {
    if (/^https?:/.test(target) || PAGES.includes(target)) return link;
    return target === '../clients/typescript/README.md' ? `[${label}](../README.md${anchor})` : label;
  });
  writeFileSync(path.join(PACKAGE, 'docs', page), copy);
}
for (const licence of ['LICENSE-APACHE', 'LICENSE-MIT']) copyFileSync(path.join(REPOSITORY, licence), path.join(PACKAGE, licence));
