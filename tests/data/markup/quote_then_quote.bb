>>first

>>second
