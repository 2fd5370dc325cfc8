[code]SELECT имя, "дата рождения"
  FROM сотрудники -- комментарий
 WHERE id = 5;[/code]
