// Package models holds the rows of the tables that the server reads and writes: one struct a table, with column tags
// and no behaviour. db/store, db/dbtest and db/demo use it; callers of the store use it for the rows they insert.
//
// The tables of the app belong to Prisma: column names are camelCase, ids are made by the writer, and updatedAt has
// neither a default nor a trigger, so whoever writes sets it. There are no JSON tags here: what clients see is made
// from pkg/contract, never from a row.
package models
