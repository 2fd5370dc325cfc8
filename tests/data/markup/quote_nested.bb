>>a
>>
>>│ b
>>│ 
>>│ │ c
>>│ │ back

out
