Конфликт возник, потому что обе ветки меняли один файл. Порядок действий:

1. Обновите ветку:
[code]git fetch origin
git rebase origin/main[/code]
2. Откройте файл с конфликтом. Он выглядит так:
[code]<<<<<<< HEAD
const timeout = 30;
=======
const timeout = 60;
>>>>>>> feature/timeouts[/code]
3. Оставьте нужный вариант и удалите маркеры.
4. Продолжите:
[code]git add src/config.ts
git rebase --continue[/code]

Если что-то пошло не так, `git rebase --abort` вернёт всё как было.

>>Не используйте `git push --force` в общих ветках — только `--force-with-lease`.

Подробнее: [url=https://git-scm.com/docs/git-rebase#_interactive_mode]документация[/url] и [url=https://habr.com/ru/articles/161009/]статья на Хабре[/url].
