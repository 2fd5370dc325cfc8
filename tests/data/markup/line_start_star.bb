*​ not item
