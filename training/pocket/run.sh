#!/bin/sh
# Train the shipped checkpoint from scratch: about an hour on two cores. Usage: ./run.sh WORK_FOLDER
set -e
work=$1
cd "$(dirname "$0")"
export PYTHONPATH=../../src:. TOKENIZERS_PARALLELISM=false
mkdir -p "$work/tokenizer"
cp ../../src/askwell/models/bundled/checkpoint/tokenizer*.json "$work/tokenizer"  # made by: python tokenizer.py --out FOLDER
write() { python shards.py --tokenizer "$work/tokenizer" --out "$work/shards" --first "$1" --count "$2" --mix "$(cat "stages/$3.json")"; }
write 100 5 a   # clear, short lessons and much copying: attention learns to look up items of a list
write 105 7 b   # the same, slightly harder
write 112 6 c   # vague instructions, hints, demonstrations
write 118 24 d  # the same, weighted towards lagging tasks
train() { python train.py --tokenizer "$work/tokenizer" --shards "$work/shards" --out "$work/run" --keep-shards --compile "$@"; }
train --first-shard 100 --tokens 29.08e6 --decay 0
train --resume "$work/run/checkpoint.pt" --tokens 10.8e6 --decay 1.0
python export.py --checkpoint "$work/run/checkpoint.pt" --tokenizer "$work/tokenizer" --out ../../src/askwell/models/bundled/checkpoint
