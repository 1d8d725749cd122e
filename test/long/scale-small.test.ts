/** A hundred scripted and three real nodes behind the endpoints: the same as `scale.test.ts` in two minutes. */
import { scaleSuite } from '../support/scale-suite.ts'

scaleSuite({ network: '127.48', clusters: 2, real: 3 })
