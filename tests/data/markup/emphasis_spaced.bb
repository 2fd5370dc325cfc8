*​*​ not bold *​*​ and * not italic * and ~​~​ not gone ~​~​, but [b]bold[/b], [b]жирный[/b].
