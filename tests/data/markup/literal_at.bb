@all @Ann и mail@host, @ @@, @channel
