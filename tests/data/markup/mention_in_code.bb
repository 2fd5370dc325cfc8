`[a](bitrix24:user/1)` и [b][USER=2]Ann[/USER][/b]
