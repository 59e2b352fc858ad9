// Validates AsyncAPI documents with the parser of the AsyncAPI Initiative, and their examples against the payloads'
// schemas, which that parser does not do for AsyncAPI 3. Prints what it finds as JSON: for each document its problems, its
// operations, and the names of its messages.

import { Parser, fromFile } from '@asyncapi/parser';
import Ajv from 'ajv';
import formats from 'ajv-formats';

// The parser's severities; the others are hints, such as that a newer version of AsyncAPI exists.
const WARNING = 1;

const ajv = formats(new Ajv({ strict: false, allErrors: true }));

function problemsOfExamples(message) {
  const validate = ajv.compile(message.payload().json());
  return message.examples().all().filter((example) => !validate(example.payload()))
    .map((example) => `${message.name()}: ${JSON.stringify(example.payload())}: ${ajv.errorsText(validate.errors)}`);
}

const results = [];
for (const path of process.argv.slice(2)) {
  const { document, diagnostics } = await fromFile(new Parser(), path).parse();
  const messages = document?.components().messages().all() ?? [];
  results.push({
    path,
    problems: [
      ...diagnostics.filter(({ severity }) => severity <= WARNING).map(({ code, message, path }) => `${path.join('.')}: ${code}: ${message}`),
      ...messages.flatMap(problemsOfExamples),
    ],
    version: document?.version(),
    operations: document?.operations().all().map((operation) => operation.id()) ?? [],
    messages: messages.map((message) => message.name()),
    examples: messages.flatMap((message) => message.examples().all()).length,
  });
}
console.log(JSON.stringify(results));
