See [nothing][404] and [x][] and [y].
