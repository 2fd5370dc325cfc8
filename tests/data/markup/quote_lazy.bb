>>first
>>continued lazily

not quoted
