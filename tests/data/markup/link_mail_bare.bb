Пишите на info@acme.example или Info@Acme.example, тел. +7 495 123-45-67
