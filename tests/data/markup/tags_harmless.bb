[1] [a] [ok] [note: text] [ссылка] array[0][1] [[wiki]] [​b [ b] [x=1] [​user] list[​i]
