// Compile the Solidity peers: `npm ci && node compile.mjs` writes bytecode.json, which is committed.
import { readFileSync, writeFileSync } from "node:fs";
import solc from "solc";

const names = ["Token", "Rounds"];
const sources = Object.fromEntries(
  names.map((name) => [`${name}.sol`, { content: readFileSync(new URL(`${name}.sol`, import.meta.url), "utf8") }]),
);
const input = {
  language: "Solidity",
  sources,
  settings: {
    optimizer: { enabled: true, runs: 10000 },
    evmVersion: "cancun",
    outputSelection: { "*": { "*": ["evm.bytecode.object", "evm.methodIdentifiers"] } },
  },
};
const output = JSON.parse(solc.compile(JSON.stringify(input)));
for (const problem of output.errors ?? []) {
  console.error(problem.formattedMessage);
  if (problem.severity === "error") process.exit(1);
}
const compiled = Object.fromEntries(
  names.map((name) => {
    const { evm } = output.contracts[`${name}.sol`][name];
    return [name, { bytecode: evm.bytecode.object, methods: evm.methodIdentifiers }];
  }),
);
const text = JSON.stringify({ compiler: solc.version(), contracts: compiled }, null, 2);
writeFileSync(new URL("bytecode.json", import.meta.url), `${text}\n`);
