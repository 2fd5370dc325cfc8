a

End
