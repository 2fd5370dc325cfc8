>>just this
