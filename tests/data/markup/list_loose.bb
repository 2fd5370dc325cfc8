1. First item
 Second paragraph of it.
2. Second item
>> with a quote

3. Third
