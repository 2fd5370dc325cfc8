[code]print("hi")[/code]
