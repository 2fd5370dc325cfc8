Before  after

End
