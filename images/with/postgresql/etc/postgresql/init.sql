create role app login
create database app owner app
