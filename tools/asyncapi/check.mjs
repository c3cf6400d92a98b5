// Whether AsyncAPI's own parser takes the document: node check.mjs FILE
import { readFileSync } from 'node:fs'
import { Parser } from '@asyncapi/parser'

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], 'utf8'))
const errors = diagnostics.filter(({ severity }) => severity === 0)
for (const { message, path } of errors) console.error(`${path.join('.')}: ${message}`)
if (!document || errors.length > 0) process.exit(1)
console.log(`${document.channels().all().length} channels, ${diagnostics.length} remarks`)
