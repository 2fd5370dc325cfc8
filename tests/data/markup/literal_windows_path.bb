C:\Users\anna\Desktop\file.txt и \server\share\папка
