import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { PACKAGE, REPOSITORY } from './paths.js';

const DIRECTORY = path.join(PACKAGE, 'build/examples');

/** A code block of a documentation page. */
export interface Example {
  /** The page and the line of the block. */
  place: string;
  language: string;
  source: string;
  /** The name of the compiled file, without the extension. */
  name: string;
}

/** The code blocks of a page in these languages. */
export function examplesOf(page: string, languages: string[]): Example[] {
  const text = readFileSync(path.join(REPOSITORY, page), 'utf8');
  return [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)]
    .map(([, language = '', source = ''], index) => ({ index, language, source }))
    .filter(({ language }) => languages.includes(language))
    .map(({ index, language, source }) => {
      const line = text.slice(0, text.indexOf(source)).split('\n').length;
      return { place: `${page}:${line}`, language, source, name: `${page.replaceAll(/\W/g, '-')}-${index}` };
    });
}

/** Compiles examples against the built package in the strictest mode. Returns the folder of the JavaScript. */
export function compile(examples: Example[]): string {
  rmSync(DIRECTORY, { recursive: true, force: true });
  mkdirSync(DIRECTORY, { recursive: true });
  for (const { name, language, source } of examples) writeFileSync(path.join(DIRECTORY, `${name}.${language}`), source);
  const configuration = {
    extends: '../../tsconfig.json',
    compilerOptions: { rootDir: '.', outDir: 'out', types: ['node'], jsx: 'react-jsx', skipLibCheck: true },
    include: ['.'],
  };
  writeFileSync(path.join(DIRECTORY, 'tsconfig.json'), JSON.stringify(configuration));
  execFileSync(path.join(PACKAGE, 'node_modules/.bin/tsc'), ['--project', DIRECTORY], { stdio: 'inherit' });
  return path.join(DIRECTORY, 'out');
}
