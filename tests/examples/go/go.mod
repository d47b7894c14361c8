module miguard

go 1.19
