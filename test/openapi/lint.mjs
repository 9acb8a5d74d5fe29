// usage: node lint.mjs OPENAPI.yaml : prints every problem of the linter's recommended rules; exit code 1 when there is one.
import { createConfig, lintFromString } from '@redocly/openapi-core';
import { readFileSync } from 'node:fs';

// The good answer of a WebSocket is 101.
const config = await createConfig({ extends: ['recommended'], rules: { 'operation-2xx-response': 'off' } });
const file = process.argv[2];
const problems = await lintFromString({ source: readFileSync(file, 'utf8'), absoluteRef: file, config });
for (const one of problems) {
    console.log(`${one.severity} ${one.ruleId} ${one.location[0]?.pointer ?? ''}: ${one.message}`);
}
process.exit(problems.length > 0 ? 1 : 0);
