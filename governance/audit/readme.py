"""What the folder of a bundle says of itself, to somebody who has nothing else of this program."""

TEXT = """# A bundle of an audit log

This folder holds the whole audit log of one workspace, in which medical images are de-identified, and what the log
vouches for. It holds nothing that identifies a patient, unless somebody wrote that into a reason in `payloads.jsonl`,
and no key that is secret; who decided something is named as they were logged. You can check it on any machine, without
a network and without the program that made it:

```
pip install cryptography               # the only thing besides Python 3.11 or later
python -I verify.py --key PUBLICKEY    # in this folder; the same file from elsewhere: python -I verify.py FOLDER ...
```

With `-I`, Python runs nothing else that lies in this folder, and reads none of your own settings: install
`cryptography` for the whole machine or in a virtual environment.

Ask for PUBLICKEY where you would ask for a signature, not in the letter that this folder came with: `governance init`
printed it. `verify.py` came with the folder too: read it, it is one file, or take it from a copy of the program that
you trust. Exit codes: 0 everything agrees, 3 something does not, 2 misuse.

| file | holds |
|---|---|
| `events.jsonl` | every event in order, one a line: who did what to what, when; ids, digests and counts |
| `events.hashes` | 32 bytes for each: SHA-256 of a zero byte and the line |
| `checkpoints.jsonl` | how the log stood after each act, signed: a name, a number of events, the root of their tree |
| `batches.jsonl` | signed batches of receipts, each with the number of the event that put it into the log |
| `receipts.jsonl`, `receipts.hashes` | what was done to each object that was written; the batches one after the other |
| `policies/` | the text of policies, by the digest that receipts name, as far as it is known |
| `payloads.jsonl` | only if it was asked for: who decided and why, where events have a salted digest; and the salts |
| `BUNDLE` | signed: the name of the log, its key, numbers, and the digest of each file here |
| `cosignatures` | only if a witness looked at this bundle: the last checkpoint with what witnesses signed |

The tree is that of RFC 6962, checkpoints and `BUNDLE` are C2SP signed notes with Ed25519. Nothing here needs our word
for how it is checked.

Some events say of persons nothing but salted digests (`hmac-sha256:`). `verify.py` counts them: as shown and matching,
where `payloads.jsonl` has salt and text; as redacted, where these were erased, of which the log has an event; as not
here, where that file was left out. Without its salt, nobody can tell what a digest is of.

A log can be signed by a second, post-quantum key too, ML-DSA-44 of FIPS 204, as C2SP tlog-cosignature has it. Then an
event `post-quantum-began` names that key, and every checkpoint behind it must have its signature. It matters once
Ed25519 can be forged; against that it helps only whoever knows the digest of this key from elsewhere, and passes it as
`--post-quantum SHA256`. Batches and `BUNDLE` have no second signature and need none: the events, which checkpoints
speak for, have the root of each batch. A `cryptography` that knows no ML-DSA still checks all else, and the verifier
says what it did not check.

## What this shows

With the right key: nobody without the secret key changed, removed, inserted or reordered an event, a receipt, a batch
or a checkpoint, to the last bit; each batch is in the log as it was signed, with each of its receipts; and the
policies here are those that the receipts name.

## What this cannot show

- **A fork, or a whole older copy.** Who holds the secret key can keep two histories, and show you one and somebody
  else another; who holds an old copy of the workspace can put it back. Each is true in itself. It is found by somebody
  who saw the log before: pass a checkpoint that you kept (a release brings one, as `CHECKPOINT`) with `--earlier FILE`,
  or ask for a witness, who looks from another machine (`governance audit witness`), and pass who it is with
  `--witness NAME+ID+KEY`. What no witness saw, nobody can find.
- **An act that was never logged.** The log says what was done through this program. What somebody does to files or to
  the database without it leaves no event.
- **Whose key it is.** A signature says that a key signed, not who holds it. Names of people and programs in events are
  as the program was told.
- **That what events say is right.** The log proves that it was said, then, and not changed since.
- **What was in the objects.** They are not here. A release holds them, and `governance verify` checks them.
"""
