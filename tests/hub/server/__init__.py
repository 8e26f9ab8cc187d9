"""A Hub on loopback, for tests: file-backed, standard library and PyYAML only, its own process.

It speaks what unmodified clients (huggingface_hub 2.x and 0.36, transformers, peft, adapters) ask for:
repositories of models, commits with parents, LFS and Xet ingest, branches, tags, listings, errors. What
it does wrong, it does wrong on purpose and as told (`faults`).

    web        requests, replies, sockets          api        information, listings, branches, tags
    faults     what a test makes go wrong          uploads    preupload, LFS, commits
    storage    blobs, repositories, commits        xet, lz4   chunks in xorbs, files in shards
    cards      tags and data out of a README       downloads  resolve, and the other origin of large files
    control    what tests ask of the server

Not here: pull requests, data sets and spaces, Xet downloads (the server never offers them).
"""
