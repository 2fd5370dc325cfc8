a > b
>​ not a quote

>>no space is a quote

>>│ double
