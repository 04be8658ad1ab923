// Checks proof files with what the text of the specification says, and nothing else.
//
// On standard input: a JSON list of proofs. On standard output: a list with null for each that holds,
// and the reason for each that does not.

import { readFileSync } from 'fs'
import { Rejected, checkConsistency, checkInclusion, checkRewrite, checkTruncation, need } from './log_proofs.mjs'
import { checkResult } from './result_proofs.mjs'

const KINDS = {
  vitraLogForkFraudProof: checkTruncation,
  vitraBlockRewriteFraudProof: checkRewrite,
  vitraInclusionProof: checkInclusion,
  vitraConsistencyProof: checkConsistency,
  vitraResultProof: checkResult
}

function check (file) {
  const kind = Object.keys(KINDS).find(name => name in file)
  try {
    need(kind && file[kind] === 1, 'no proof of a known kind')
    KINDS[kind](file)
    return null
  } catch (error) {
    if (error instanceof Rejected) return error.message
    throw error
  }
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0)).map(check)))
