/** A thousand scripted and ten real nodes behind the endpoints. */
import { scaleSuite } from '../support/scale-suite.ts'

scaleSuite({ network: '127.49', clusters: 20, real: 10 })
