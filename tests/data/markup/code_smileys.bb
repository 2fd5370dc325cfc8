[code]if x :) 8) :/ (C)[/code]
