/** The scripted front keeps the contract that the kernel's front keeps. */
import { frontContract } from '../../support/front-contract.ts'
import { startScriptedFronts } from '../../support/front-scripted.ts'

frontContract('a front over the scripted engine', () => startScriptedFronts('127.29.2'))
