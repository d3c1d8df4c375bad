# Written for these tests: two dimensions, lengths that differ.
@problemName Steps
@author nobody
@timeStamps false
@missing true
@univariate false
@dimensions 2
@equalLength false
@classLabel true up Down
@data
1,2,3:10,20,?:up
 4, 5 : 40,50 :down

# a last one
7:70:up
