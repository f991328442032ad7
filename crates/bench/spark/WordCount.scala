package firesteel.bench

import org.apache.spark.{SparkConf, SparkContext}

/** Counts the words of text files. */
object WordCount {
  def main(args: Array[String]): Unit = {
    val parameters = new Parameters(args)
    val text = parameters.text("text")
    val reducers = parameters.partitions("reducers")
    val sc = new SparkContext(new SparkConf().setAppName("word count"))
    Rounds.serve(parameters) {
      Rounds.seconds {
        val counts = sc.textFile(text).flatMap(_.split(' ')).map(word => (word, 1L)).reduceByKey(_ + _, reducers)
        val (distinct, total, highest) = counts
          .map { case (_, count) => (1L, count, count) }
          .reduce((left, right) => (left._1 + right._1, left._2 + right._2, math.max(left._3, right._3)))
        s"$distinct distinct of $total, at most $highest"
      }
    }
    sc.stop()
  }
}
