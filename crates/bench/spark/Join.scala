package firesteel.bench

import org.apache.spark.{SparkConf, SparkContext}

/** Joins two data sets of pairs, each row of which has one partner. */
object Join {
  def main(args: Array[String]): Unit = {
    val parameters = new Parameters(args)
    val rows = parameters.number("rows")
    val partitions = parameters.partitions("partitions")
    val sc = new SparkContext(new SparkConf().setAppName("join"))
    Rounds.serve(parameters) {
      Rounds.seconds {
        val left = sc.range(0, rows, 1, partitions).map(number => (SplitMix.mix(number), number))
        val right = sc.range(0, rows, 1, partitions).map(number => (SplitMix.mix(rows - 1 - number), number))
        val (count, sum) = left.join(right, partitions)
          .map { case (_, (left, right)) => (1L, left * 2 + right) }
          .reduce((one, other) => (one._1 + other._1, one._2 + other._2))
        s"$count rows, sum $sum"
      }
    }
    sc.stop()
  }
}
