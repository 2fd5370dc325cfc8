• before
>> quoted in item

• after
