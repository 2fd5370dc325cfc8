[code]```js
x
```[/code]
