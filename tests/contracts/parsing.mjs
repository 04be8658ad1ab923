// What Node says of the parser programs of test262 as modules: prints JSON, the error of each, or null.
// Usage: node --experimental-vm-modules parsing.mjs DIRECTORY

import fs from 'node:fs'
import path from 'node:path'
import vm from 'node:vm'

const root = process.argv[2]
const said = {}
for (const folder of ['early', 'fail', 'pass']) {
  for (const name of fs.readdirSync(path.join(root, folder))) {
    const source = fs.readFileSync(path.join(root, folder, name), 'utf8')
    try {
      said[`${folder}/${name}`] = new vm.SourceTextModule(source + '\nexport const apply = {}') && null
    } catch (error) {
      said[`${folder}/${name}`] = error.message
    }
  }
}
console.log(JSON.stringify(said))
