/** A hundred scripted and three real nodes behind the endpoints; `npm run test:long` has a thousand and ten. */
import { scaleSuite } from '../support/scale-suite.ts'

scaleSuite({ network: '127.48', clusters: 2, real: 3 })
