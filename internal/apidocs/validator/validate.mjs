// Reads {openapi, asyncapi} from stdin and writes what the validators of both projects find wrong, one a line.
import { Parser } from '@asyncapi/parser'
import { Validator } from '@seriousme/openapi-schema-validator'
import { text } from 'node:stream/consumers'

const { openapi, asyncapi } = JSON.parse(await text(process.stdin))

const http = await new Validator().validate(openapi)
for (const e of Array.isArray(http.errors) ? http.errors : http.valid ? [] : [http.errors]) {
  console.log('openapi: ' + JSON.stringify(e))
}

// Severity 0 is an error, 1 a warning (Spectral).
const { document, diagnostics } = await new Parser().parse(JSON.stringify(asyncapi))
for (const d of diagnostics.filter((d) => d.severity <= 1)) {
  console.log(`asyncapi: ${d.path.join('.')}: ${d.code}: ${d.message}`)
}
if (!document && !diagnostics.length) console.log('asyncapi: not parsed')
