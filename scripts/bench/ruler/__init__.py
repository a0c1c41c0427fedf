"""What scripts/bench/compare is made of: a module for each work, and these four that they share.

    process   a command under watch: its wall time and its peaks of memory
    sides     distilburn's stages and examples, and the scripts of reference/, as such commands
    inputs    the data and the models that both sides are given
    rounds    contenders in turns, their table, the bounds

A work's `measure(args)` prints what it found and returns a `rounds.Outcome`.
"""
