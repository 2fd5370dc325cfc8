This *​*​is never closed

and *​neither is this

or ~​~​this, or `​this
