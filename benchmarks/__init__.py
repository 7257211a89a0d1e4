"""What a guarded call costs, beside an empty decorator and beside other libraries.

``python -m benchmarks`` runs every row on every Python it finds and writes ``RESULTS.md`` and
``results.json`` beside this file. How a number comes about:

* A row times its candidates in interleaved rounds of about a millisecond each and keeps the
  minimum of each candidate. All candidates of a row run the same loop, each in its own compiled
  copy (CPython specialises a call site for the function it meets there). The cost of the loop is
  *not* subtracted, from nobody.
* A ratio is against R: an empty ``functools.wraps`` decorator around the same function, called
  the same way, in the same rounds. R takes part twice; how far its two minima are apart is the
  row's noise.
* Rows of calls run in several processes, and the median of their ratios counts: within one process a
  ratio repeats to a percent, but where the allocator puts code and closures moves it by up to five.
* The garbage collector is off inside a round, as in ``timeit``; it is on in the keys row, where
  its pauses are the question.
"""

__all__: list[str] = []
